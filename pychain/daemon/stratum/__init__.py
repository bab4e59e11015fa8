"""The Stratum server on sockets: connections that move bytes to and from the sessions of `pychain.stratum.server`."""
