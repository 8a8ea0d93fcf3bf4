"""The commands: `spikemm` with a file for each, and the scripts that make its environment."""
