"""Converters from publishers' raw files to RecBole atomic files, one module a source."""
