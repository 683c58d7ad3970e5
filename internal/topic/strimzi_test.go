package topic_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/topic"
)

func TestStrimziHasATopicForEachDeclaredEvent(t *testing.T) {
	m, err := spec.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for decoder := yaml.NewDecoder(strings.NewReader(topic.Strimzi(m))); ; {
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Metadata   struct{ Namespace string }
			Spec       struct {
				TopicName            string `yaml:"topicName"`
				Partitions, Replicas int
			}
		}
		if err := decoder.Decode(&object); err != nil {
			break
		}
		if object.Kind == "" {
			continue // the comment above the first one
		}
		if object.APIVersion != "kafka.strimzi.io/v1" || object.Metadata.Namespace != "data" || object.Spec.Partitions < topic.Partitions || object.Spec.Replicas != 3 {
			t.Errorf("%+v", object)
		}
		got = append(got, object.Spec.TopicName)
	}
	if want := topic.Of(m); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("there are topics %v, want %v", got, want)
	}
}
