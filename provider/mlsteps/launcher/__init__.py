"""The program that runs beside a user's script: standard library only, Python 3.9 or newer.

A compute target writes a `job.Job` as JSON, starts the launcher with it (see `package.build_launcher_zip`)
and reads the `result.JobResult` and the `manifest.Manifest` files that the launcher leaves behind.
Import from the modules; this file stays empty so that the launcher starts fast.
"""
