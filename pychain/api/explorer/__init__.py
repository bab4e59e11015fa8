"""The explorer: the files in `static` are served under `/`, `index.html` at `/` itself, as the package has them."""
