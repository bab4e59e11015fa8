"""Wallet: keys, and payments made into signed transfers. Pure: the encrypted file is the daemon's."""
