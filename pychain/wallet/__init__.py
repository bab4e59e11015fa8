"""Wallet: keys, and payments made into signed transfers. Pure: the encrypted files are in `pychain.keystore`."""
