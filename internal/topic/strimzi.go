package topic

import (
	"fmt"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Strimzi gives the topics of a platform as KafkaTopics of the cluster kafka in the namespace data, for Strimzi's topic operator.
// Each has partitions for as many pods of a consumer, and copies on three brokers.
func Strimzi(m *spec.Model) string {
	const partitions, replicas = 12, 3
	var out strings.Builder
	out.WriteString("# Made by scaffold graph --format topics: the topics of the declared events, and the dead letters of each consumer.\n")
	for _, t := range Of(m) {
		fmt.Fprintf(&out, `---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: %[1]s
  namespace: data
  labels:
    strimzi.io/cluster: kafka
    app.kubernetes.io/part-of: %[2]s
spec:
  topicName: %[1]s
  partitions: %[3]d
  replicas: %[4]d
`, t, m.Platform.Name, partitions, replicas)
	}
	return out.String()
}
