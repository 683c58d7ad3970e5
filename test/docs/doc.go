// Package docs tests the documents: their links lead somewhere, and the commands that they show work. It has only tests.
//
// A fence of commands (```sh) has a marker in the line above it, which says what the test does with it:
//
//	<!-- run -->              run it in a scratch copy of the platform; it must succeed. Fences of one document share the copy,
//	                          which has only the services that they name, and what these need.
//	<!-- run exit=1 -->       run it; it must exit with that status.
//	<!-- start until="…" -->  start it and wait for that text; it goes on until the end of the document, or until
//	<!-- stop -->             , and is then interrupted as by Ctrl-C and must leave no port taken.
//	<!-- make -->             the lines are make targets, which the continuous integration runs itself: they must exist.
package docs
