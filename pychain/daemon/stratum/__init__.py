"""The Stratum server on sockets: connections move bytes to and from the sessions of `pychain.stratum.server`."""
