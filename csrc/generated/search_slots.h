/* Slots of the array `u`. Written by generate.py. */
enum { SEARCH_SLOTS = 26 };
