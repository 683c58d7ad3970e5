// Command scaffold makes, changes, checks and runs the services of a Trellis platform.
package main

import (
	"os"

	"github.com/trellis-mesh/trellis/internal/cli"
)

func main() { os.Exit(cli.Main()) }
