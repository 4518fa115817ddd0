"""The sections of a report, one module each; `igfmeta.report.registry` puts them in order."""
