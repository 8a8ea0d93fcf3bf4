"""Reports: one HTML file with its tables, pictures and charts inside, and the same figures as JSON."""
