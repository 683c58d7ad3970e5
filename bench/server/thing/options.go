package thing

import (
	"flag"
	"net"
	"strconv"
)

// Options are the settings that every compared server takes.
type Options struct {
	Addr  string  // host:port of the API
	Admin string  // host:port of metrics and health, where the framework has a second listener
	OTLP  string  // host:port of the OTLP/HTTP receiver
	Ratio float64 // share of traces that are kept
}

// ParseOptions reads the options from the command line and ends the process when they are wrong.
func ParseOptions() Options {
	var o Options
	flag.StringVar(&o.Addr, "addr", "127.0.0.1:8080", "address of the API")
	flag.StringVar(&o.Admin, "admin", "127.0.0.1:9090", "address of metrics and health")
	flag.StringVar(&o.OTLP, "otlp", "", "host:port of the OTLP/HTTP receiver")
	flag.Float64Var(&o.Ratio, "ratio", 0.1, "share of traces that are kept")
	flag.Parse()
	return o
}

// HostPort splits an address whose port is a number.
func HostPort(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
