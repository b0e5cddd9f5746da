"""From interaction histories to profile texts.

Meets training through files, and in one place more: ``history`` reads the histories by the data set class that will
train, so that what an LLM sees is what training sees.
"""
