"""The explorer: the files in `static` are served unchanged under `/`, and `index.html` at `/` itself."""
