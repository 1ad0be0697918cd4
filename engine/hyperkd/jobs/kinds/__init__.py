"""The jobs, by what they are for; ``hyperkd.jobs.spec`` lists them all."""
