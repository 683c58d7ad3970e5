package main

import (
	"time"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/notifications/internal/app"
	"github.com/trellis-mesh/trellis/services/notifications/internal/mail"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
)

// settings are the keys of this service alone.
type settings struct {
	SMTP struct {
		Host     string        `config:"host" env:"SMTP_HOST" doc:"the mail server; while it is empty, messages are kept and wait"`
		Port     int           `config:"port" env:"SMTP_PORT" default:"465" doc:"the mail server's port"`
		TLS      string        `config:"tls" env:"SMTP_TLS" default:"implicit" doc:"implicit (encrypted from the beginning), starttls, or none"`
		Username string        `config:"username" doc:"whom the mail server knows us as; empty does without logging in"`
		Password config.Secret `config:"password" doc:"that user's password"`
		From     string        `config:"from" default:"Trellis <shop@example.com>" doc:"who writes"`
	} `config:"smtp"`
	Messages struct {
		Patience time.Duration `config:"patience" default:"1h" doc:"how long a message waits for its customer's address"`
		Expiry   time.Duration `config:"expiry" default:"24h" doc:"how long it is tried to send a message"`
	} `config:"messages"`
}

// Validate checks what the types cannot.
func (s *settings) Validate(c *config.Check) {
	c.Must("smtp.port", s.SMTP.Port > 0 && s.SMTP.Port <= 65535, "is no port", "give 1 to 65535")
	c.Must("smtp.password", (s.SMTP.Username == "") == s.SMTP.Password.IsZero(), "and smtp.username go together", "give both or none")
	c.Must("messages.patience", s.Messages.Patience > 0, "is no time", "give more than 0s")
	c.Must("messages.expiry", s.Messages.Expiry > 0, "is no time", "give more than 0s")
}

// build makes the use cases, with a mail server if there is one.
func build(s *chassis.Service, db *database.DB) (*app.Notifications, error) {
	var set settings
	if err := s.Config(&set); err != nil {
		return nil, err
	}
	sender, err := mail.New(mail.Options{
		Host: set.SMTP.Host, Port: set.SMTP.Port, TLS: set.SMTP.TLS, Username: set.SMTP.Username, Password: set.SMTP.Password.Reveal(),
		From: set.SMTP.From,
	})
	if err != nil {
		return nil, err
	}
	opt := app.Options{Patience: set.Messages.Patience, Expiry: set.Messages.Expiry, Log: s.Log(), Registry: s.Registry()}
	if set.SMTP.Host != "" {
		opt.Mailer = sender
	}
	return app.New(store.New(db), opt)
}
