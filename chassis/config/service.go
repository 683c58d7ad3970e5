package config

import (
	"log/slog"
	"net/url"
	"time"
)

// Service holds the keys that every service has. The tags are the whole documentation of each: key, default, meaning.
type Service struct {
	HTTP struct {
		Addr    string   `config:"addr" default:":8080" doc:"where the API listens"`
		Proxies []string `config:"proxies" doc:"networks of the proxies in front, whose X-Forwarded-For is believed, separated by commas"`
	} `config:"http"`
	Admin struct {
		Addr string `config:"addr" default:":9090" doc:"where metrics, health, profiles and faults are served"`
	} `config:"admin"`
	Database struct {
		URL         Secret           `config:"url" doc:"postgres://… or sqlite:///path"`
		Shards      map[string]Shard `config:"shards" doc:"the databases that rows are spread over, by name"`
		Connections int              `config:"connections" doc:"most connections of a replica to its database, and to all its shards together; 0 means 20, SQLite 4"`
	} `config:"database"`
	Kafka struct {
		Brokers []string `config:"brokers" doc:"host:port of the brokers, separated by commas"`
	} `config:"kafka"`
	Redis struct {
		URL Secret `config:"url" doc:"redis://…"`
	} `config:"redis"`
	Calls map[string]Call `config:"calls" doc:"the services that are called, by name"`
	Auth  struct {
		Issuer   string `config:"issuer" doc:"who issues the access tokens that are accepted, as their iss names it"`
		Audience string `config:"audience" doc:"whom the tokens must be meant for, as their aud names it"`
		JWKS     string `config:"jwks" doc:"URL of the issuer's public keys"`
	} `config:"auth"`
	Telemetry struct {
		Endpoint string  `config:"endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"OTLP/HTTP collector; empty exports nothing"`
		Ratio    float64 `config:"ratio" default:"0.1" doc:"share of traces begun here that are recorded, 0 to 1"`
		Logs     bool    `config:"logs" default:"true" doc:"whether the collector gets log records, too; false where an agent reads them from the output"`
		Metrics  bool    `config:"metrics" default:"true" doc:"whether requests are counted and timed; false shows what that costs"`
	} `config:"telemetry"`
	Log struct {
		Level slog.Level    `config:"level" default:"info" doc:"debug, info, warn or error"`
		Delay time.Duration `config:"delay" default:"10ms" doc:"how long lines below warn may wait to be written together, and are lost if the process is killed meanwhile; 0s writes each at once"`
	} `config:"log"`
	Shutdown struct {
		Delay   time.Duration `config:"delay" default:"5s" doc:"how long the service answers on after it said that it is not ready"`
		Timeout time.Duration `config:"timeout" default:"25s" doc:"how long the whole stop may take, the delay included"`
	} `config:"shutdown"`
	Mesh        bool   `config:"mesh" doc:"true inside the mesh, which retries in the client's stead"`
	Environment string `config:"environment" doc:"name of the environment, such as production"`
}

// Shard is one of the databases that a service spreads rows over.
type Shard struct {
	URL Secret `config:"url" required:"true" doc:"postgres://… or sqlite:///path"`
}

// Call is one service that is called.
type Call struct {
	URL string `config:"url" required:"true" doc:"base URL"`
}

// Validate checks what the types cannot.
func (s *Service) Validate(c *Check) {
	c.Must("telemetry.ratio", s.Telemetry.Ratio >= 0 && s.Telemetry.Ratio <= 1, "is not a share", "give a number from 0 to 1")
	c.Must("shutdown.delay", s.Shutdown.Delay >= 0, "is negative", "give 0s or more")
	c.Must("shutdown.timeout", s.Shutdown.Timeout > s.Shutdown.Delay, "leaves requests no time to end",
		"give more than shutdown.delay, which it includes")
	c.Must("database.connections", s.Database.Connections >= 0, "is negative", "give a number of connections, or 0")
	for name, call := range s.Calls {
		c.Must("calls."+name+".url", isHTTP(call.URL), "is no http or https URL", "give one like http://"+name+":8080")
	}
	if s.Auth.JWKS != "" {
		c.Must("auth.jwks", isHTTP(s.Auth.JWKS), "is no http or https URL", "give one like http://users:8080/.well-known/jwks.json")
	}
	if s.Telemetry.Endpoint != "" {
		c.Must("telemetry.endpoint", isHTTP(s.Telemetry.Endpoint), "is no http or https URL", "give one like http://collector:4318")
	}
}

func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
