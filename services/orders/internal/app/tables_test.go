package app

import (
	"io/fs"

	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/twophase"
)

// tablesOfChassis are those that the service has beside its own.
var tablesOfChassis = []fs.FS{outbox.Migrations(), saga.Migrations(), twophase.Migrations()}
