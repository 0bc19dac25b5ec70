"""Ready-made suites as data."""
