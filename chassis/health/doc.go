// Package health tells a platform whether a program is alive and whether it is ready for requests.
//
// Liveness says only that the program answers; it asks no dependency, since restarting a program does not mend its
// database. Readiness asks every dependency, all at once and within a time limit each, and keeps the result for a moment, so
// that a crowd of probes is no load. While the program drains before it stops, it is alive and not ready.
//
//	checks := health.New(health.Options{Log: log})
//	checks.Add("database", db.PingContext)
//	mux.Handle("/health/live", checks.Live())
//	mux.Handle("/health/ready", checks.Ready())
//
// It is not for monitoring: a dashboard's numbers belong into metrics.
package health
