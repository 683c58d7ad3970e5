// Package local runs the platform as processes on a developer's machine: it builds the services, hosts what they need in
// its own process (Kafka, Redis, receivers of traces and mails; a SQLite file stands in for each Postgres), starts every service with
// the addresses of its callees, and waits until all are ready. It is what `scaffold up` runs, and what tests of several services run.
//
// It restarts nothing by itself, and leaves no process or port behind: the services stop with the Platform, and on Linux also when
// the process that hosts it is killed. It is not for production; there Kubernetes does all of this.
//
//	p, err := local.Start(ctx, local.Options{Root: root, Model: model, FreePorts: true})
//	defer p.Stop(context.Background())
//	res, err := http.Get(p.Service("catalog").URL + "/v1/products")
//	trace, err := p.Traces().Wait(ctx, func(t otlp.Trace) bool { return t.Service("catalog") })
package local
