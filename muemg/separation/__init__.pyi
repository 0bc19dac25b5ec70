from .fastica import FastICA as FastICA
