// Package greeting is the contract and the generated server of a service that exists only for the tests of the HTTP server.
package greeting

import _ "embed"

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen -package greeting -generate gin,strict-server,types -o api.gen.go openapi.yaml

// Contract is the OpenAPI document.
//
//go:embed openapi.yaml
var Contract []byte
