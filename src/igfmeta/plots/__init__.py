"""Fits -> figures: a layout of cells and marks first, then one renderer for papers and one for pages."""
