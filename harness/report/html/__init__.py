"""The page: verdicts and pictures of captures in one HTML file that asks nobody for anything."""
