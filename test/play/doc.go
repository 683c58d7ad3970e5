// Command play has people shop in the running shop until it is stopped: they log in, look around, order, pay, and come back to see what
// became of it. Some of their cards are declined, and some of what they want is sold out. What they do follows from a seed; when they do
// it does not.
//
//	make up                     in another terminal
//	make play                   (go run ./test/play, make play ARGS="-for 60s")
//
// It goes through gateway where that has the operation, and waits where gateway says that somebody asks too often. It fails when
// an answer was a 5xx or none, or when an order was neither completed nor cancelled half a minute after the end.
package main
