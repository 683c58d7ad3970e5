package database_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/trellis-mesh/trellis/chassis/database"
)

func TestAwayIsWhatSaysNothingAboutTheStatement(t *testing.T) {
	state := func(code string) error { return fmt.Errorf("reserve stock: %w", &pgconn.PgError{Code: code}) }
	for name, tt := range map[string]struct {
		err  error
		away bool
	}{
		"nothing":                 {nil, false},
		"nobody listens":          {refused(t), true},
		"a connection that broke": {fmt.Errorf("begin transaction: %w", driver.ErrBadConn), true},
		"connection failure":      {state("08006"), true},
		"too many connections":    {state("53300"), true},
		"shutting down":           {state("57P01"), true},
		"starting up":             {state("57P03"), true},
		"a busy writer":           {fmt.Errorf("begin transaction: %w", database.ErrBusy), true},
		"a unique violation":      {state("23505"), false},
		"a cancelled statement":   {state("57014"), false},
		"a wrong password":        {state("28P01"), false},
		"no answer in time":       {context.DeadlineExceeded, false},
		"somebody else away":      {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, false},
		"what a handler says":     {errors.New("no such order"), false},
	} {
		if got := database.Away(tt.err); got != tt.away {
			t.Errorf("%s: away %v, want %v (%v)", name, got, tt.away, tt.err)
		}
	}
}

// refused is what the driver says of a port on which nobody listens.
func refused(t *testing.T) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = database.Open(t.Context(), "postgres://u:p@"+l.Addr().String()+"/d", database.Options{PingTimeout: 50 * time.Millisecond})
	if err == nil {
		t.Fatal("a database that nobody serves was opened")
	}
	return err
}
