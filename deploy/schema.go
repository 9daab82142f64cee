// Package deploy holds what runs Gatehouse elsewhere. Of its files the command
// carries the schema of the configuration along.
package deploy

import _ "embed"

//go:embed gatehouse.schema.json
var schema string

// Schema is the JSON Schema of gatehouse.yaml. It is made from config's types; a
// test there holds it current.
func Schema() string { return schema }
