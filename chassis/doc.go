// Package chassis is what a thin service stands on: a program's life from its configuration to its ordered stop.
//
// A service hands [Main] its declaration, generated from service.yaml, and a function that wires its own parts:
//
//	func main() { chassis.Main(spec, wire) }
//
//	func wire(ctx context.Context, s *chassis.Service) error {
//		db, err := s.Database(ctx, migrations.FS)
//		if err != nil {
//			return err
//		}
//		s.Router().GET("/v1/greetings/:id", handler.New(db).Greeting)
//		return nil
//	}
//
// # Start
//
// Configuration, telemetry, both listeners bound, wire, then consumers, workers and servers at once. A failure on the way
// is one line on standard error that says what is wrong and what to do, and exit code 1.
//
// # Stop
//
// On SIGTERM or SIGINT, or when the service's own work fails, in this order and within shutdown.timeout as a whole:
//
//  1. /health/ready answers 503, answers carry Connection: close; /health/live still answers 200;
//  2. shutdown.delay goes by, with every request answered as before, until load balancers have noticed;
//  3. consumers finish the events in hand and leave their group;
//  4. the API port closes and the requests under way are answered;
//  5. background work ends; the outbox publishes what was committed; stop hooks run;
//  6. the last spans are exported; pools are closed; the admin port closes.
//
// A second signal ends the process at once.
//
// The package joins the others together and has no behaviour of its own beyond that: use config, telemetry, httpserver and
// the rest alone where there is no service, as in a command or a test.
package chassis
