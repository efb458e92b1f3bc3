package jsonapitest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Schema has the parts of JSON Schema that these documents use.
type Schema struct {
	Ref             string             `json:"$ref"`
	Type            string             `json:"type"`
	Const           any                `json:"const"`
	Enum            []string           `json:"enum"`
	Pattern         string             `json:"pattern"`
	ContentEncoding string             `json:"contentEncoding"`
	Required        []string           `json:"required"`
	Properties      map[string]*Schema `json:"properties"`
	Items           *Schema            `json:"items"`
}

// mismatch says what of a value is not as the schema has it; nothing more than that is allowed
// anywhere.
func (d *Document) mismatch(s *Schema, value any, path string) string {
	if s.Ref != "" {
		return d.mismatch(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], value, path)
	}
	switch value := value.(type) {
	case map[string]any:
		return d.objectMismatch(s, value, path)
	case []any:
		if s.Type != "array" {
			return path + " is a list"
		}
		for _, element := range value {
			if reason := d.mismatch(s.Items, element, path+"[]"); reason != "" {
				return reason
			}
		}
		return ""
	case bool:
		if s.Type != "boolean" {
			return path + " is a boolean"
		}
		return ""
	case float64:
		if s.Type != "integer" || s.Const != nil && s.Const != value {
			return fmt.Sprintf("%s is %v", path, value)
		}
		return ""
	case string:
		return textMismatch(s, value, path)
	default:
		return fmt.Sprintf("%s is %v", path, value)
	}
}

func (d *Document) objectMismatch(s *Schema, value map[string]any, path string) string {
	if s.Type != "object" {
		return path + " is an object"
	}
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			return path + "." + name + " is missing"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		property := s.Properties[name]
		if property == nil {
			return path + "." + name + " is not documented"
		}
		if reason := d.mismatch(property, value[name], path+"."+name); reason != "" {
			return reason
		}
	}
	return ""
}

func textMismatch(s *Schema, value, path string) string {
	_, err := base64.StdEncoding.Strict().DecodeString(value)
	switch {
	case s.Type != "string":
		return path + " is a string"
	case s.Const != nil && s.Const != value, s.Enum != nil && !slices.Contains(s.Enum, value):
		return path + " is " + value
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(value):
		return path + " is " + value
	case s.ContentEncoding == "base64" && err != nil:
		return path + " is not base64"
	}
	return ""
}
