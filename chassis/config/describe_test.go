package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/config"
)

func TestKeysDocumentTheStruct(t *testing.T) {
	var settings struct {
		Kafka struct {
			Brokers []string `config:"brokers" default:"localhost:9092" doc:"where Kafka is"`
		} `config:"kafka"`
		Calls map[string]struct {
			URL string `config:"url" required:"true" doc:"base URL" env:"OTHER_URL"`
		} `config:"calls"`
		Password config.Secret `config:"password"`
	}
	settings.Kafka.Brokers = []string{"a:1", "b:2"}
	settings.Password = config.NewSecret("hunter2")
	source, err := config.Open(config.Options{Names: map[string][]string{"calls": {"user-profile"}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Keys(&settings)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Key{
		{Path: "kafka.brokers", Variables: []string{"APP_KAFKA_BROKERS"}, Default: "localhost:9092", Doc: "where Kafka is", Value: "a:1,b:2"},
		{Path: "calls.user-profile.url", Variables: []string{"APP_CALLS_USER_PROFILE_URL", "OTHER_URL"}, Doc: "base URL", Required: true},
		{Path: "password", Variables: []string{"APP_PASSWORD"}, Value: "[redacted]"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := source.Keys(settings); err == nil {
		t.Error("keys of a struct that is no pointer gave no error")
	}
}
