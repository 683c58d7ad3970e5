package local

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// Endpoint is where a service answers.
type Endpoint struct {
	Service string `json:"service"`
	API     string `json:"api"`
	Health  string `json:"health"`
	Metrics string `json:"metrics"`
	Traces  string `json:"traces"`
	Admin   string `json:"admin"`
	PID     int    `json:"pid"`
	Running bool   `json:"running"`
}

// Endpoints of the services, sorted by name.
func (p *Platform) Endpoints() []Endpoint {
	out := make([]Endpoint, 0, len(p.order))
	for _, name := range p.order {
		s := p.procs[name].Service
		r := p.procs[name].last()
		out = append(out, Endpoint{
			Service: name, API: s.URL, Health: s.URL + "/health/ready", Metrics: s.Admin + "/metrics",
			Traces: p.tracesOf(name), Admin: s.Admin, PID: p.PID(name), Running: r != nil && !r.ended(),
		})
	}
	return out
}

// Table shows the endpoints to a person.
func (p *Platform) Table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SERVICE\tAPI\tHEALTH\tMETRICS\tTRACES")
	for _, e := range p.Endpoints() {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Service, e.API, e.Health, e.Metrics, e.Traces)
	}
	_ = w.Flush() // a Builder takes everything
	var parts []string
	if len(p.host.brokers) > 0 {
		parts = append(parts, "kafka "+strings.Join(p.host.brokers, ","))
	}
	if p.host.redis != "" {
		parts = append(parts, p.host.redis)
	}
	if needs(p.services).database && p.options.Database == nil {
		dir, err := filepath.Rel(p.options.Root, p.options.DataDir)
		if err != nil {
			dir = p.options.DataDir
		}
		parts = append(parts, "databases in "+dir)
	}
	if len(parts) > 0 {
		out.WriteString(strings.Join(parts, " · ") + "\n")
	}
	return out.String() + p.watchers.table()
}

// tracesOf is where a service's traces are looked at.
func (p *Platform) tracesOf(service string) string {
	if jaeger := p.watchers.url("jaeger"); jaeger != "" {
		return jaeger + "/search?service=" + service
	}
	return p.host.traces + "/traces?service=" + service
}

// JSON is the table as one line of JSON.
func (p *Platform) JSON() ([]byte, error) {
	table := struct {
		Services []Endpoint `json:"services"`
		Kafka    []string   `json:"kafka,omitempty"`
		Redis    string     `json:"redis,omitempty"`
		Traces   string     `json:"traces"`
		// Watchers are the URLs of Prometheus and the like, by name.
		Watchers map[string]string `json:"watchers,omitempty"`
	}{p.Endpoints(), p.host.brokers, p.host.redis, p.host.traces + "/traces", p.Watchers()}
	line, err := json.Marshal(table)
	if err != nil {
		return nil, fmt.Errorf("encode the table: %w", err)
	}
	return line, nil
}
