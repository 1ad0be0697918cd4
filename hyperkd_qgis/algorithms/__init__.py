"""One file per Processing algorithm: parameters to job, job to engine, files to layers."""
