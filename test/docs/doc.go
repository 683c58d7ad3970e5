// Package docs tests the documents: their links lead somewhere, and the commands that they show work. It has only tests.
//
// A fence of commands (```sh) has a marker in the line above it, which says what the test does with it:
//
//	<!-- run -->              run it in a scratch copy of the platform; it must succeed. Fences of one document share the copy,
//	                          which has only the services that they name, and what these need.
//	                          They know the variables that the fences before them have set.
//	<!-- run exit=1 -->       run it; it must exit with that status.
//	<!-- shows -->            the fence below (text, json or http) is what the commands above printed: its lines are there in
//	                          their order, where … stands for anything.
//	<!-- start until="…" -->  start it and wait for that text; it goes on until the end of the document, or until
//	<!-- stop -->             , and is then interrupted as by Ctrl-C and must leave no port taken.
//	<!-- make -->             the lines are make targets, which the continuous integration runs itself: they must exist.
//	<!-- test -->             the lines are go test commands, which make verify runs in its own way: package and test must exist.
//
// Code that a document shows is taken from its file, and written again by make generate. The line above says what it is: a
// declaration, the lines in it from the first text to the second, or such lines of a file that is not Go.
//
//	<!-- code chassis/outbox/relay.go Relay.claim -->
//	<!-- code chassis/outbox/relay.go Relay.claim "first text" "last text" -->
//	<!-- code services/orders/service.yaml "calls:" "events:" -->
//
// The catalogue of patterns, docs/patterns, is checked further: every pattern has a page with all of its parts, and a proof that
// exists. That the proofs ran is checked by test/proofs.
package docs
