// Package templates holds the template sets that the scaffolder renders, each described by its manifest.yaml.
package templates

import "embed"

// FS has one folder for each template set.
//
//go:embed all:service all:platform
var FS embed.FS
