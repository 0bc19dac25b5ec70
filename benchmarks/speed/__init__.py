"""Hot paths timed over the history of the repository, by asv: see docs/benchmarks.md. Each file is one of them."""
