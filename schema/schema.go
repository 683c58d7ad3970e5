// Package schema holds the JSON Schemas of platform.yaml and service.yaml, which editors complete and check the files by.
// The scaffolder writes them into every platform. They are made from the types of internal/spec:
//
//	go test ./internal/spec -run TestSchemas -update
package schema

import _ "embed"

// Platform is the JSON Schema of platform.yaml.
//
//go:embed platform.schema.json
var Platform []byte

// Service is the JSON Schema of service.yaml.
//
//go:embed service.schema.json
var Service []byte
