"""The front doors: functions for notebooks and programs, each with an options object and a result object.

None of them reads the command line. The commands are thin layers over them.
"""
