"""The jobs that Flink runs, a module each: `flink run -pym flink_jobs.NAME`."""
