// render TEMPLATES PODS: the template of deploy/istio-injection.yaml, executed by Go's text/template for every pod of pods.json, as YAML
// documents on standard output. Beside the library of Go there are only the functions that the template calls, with the meaning
// that sprig (default, quote) and Istio's injector (the others) give them, and data of the injector's shape.
//
//	go run tests/Init.Tests/Injection/render.go deploy/istio-injection.yaml tests/Init.Tests/Injection/pods.json
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"text/template"
)

// Of the template, inside the chart's values.
const header, indent = "    meshl4: |", "      "

type objectMeta struct{ Annotations map[string]string }

// An enumeration of the mesh's configuration: printed by name, and no string.
type mode string

func (m mode) String() string {
	if m == "" {
		return "REDIRECT"
	}
	return string(m)
}

// Of the mesh's configuration; 0 where it does not say.
type meshConfig struct{ ProxyListenPort, ProxyInboundListenPort int32 }

type pod struct {
	Name        string
	Annotations map[string]string
	MeshMode    mode
	MeshConfig  meshConfig
	ProxyUID    int64
	Values      map[string]any
}

type data struct {
	ObjectMeta         objectMeta
	ProxyConfig        struct{ InterceptionMode mode }
	MeshConfig         *meshConfig
	Values             map[string]any
	ProxyUID, ProxyGID int64
}

var functions = template.FuncMap{
	"default": func(fallback, given any) any {
		if given == nil || reflect.ValueOf(given).IsZero() {
			return fallback
		}
		return given
	},
	"quote": func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
	"annotation": func(meta objectMeta, name string, fallback any) string {
		if value, found := meta.Annotations[name]; found {
			return value
		}
		return fmt.Sprint(fallback)
	},
	"valueOrDefault": func(value, fallback any) any {
		if value == nil || value == "" {
			return fallback
		}
		return value
	},
	"excludeInboundPort": withStatusPort,
}

// The list as it is where there is no status port or the list has it, else its entries, and the port behind them.
func withStatusPort(status any, list string) string {
	port := strings.TrimSpace(fmt.Sprint(status))
	entries := strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
	kept := []string{}
	for i := range entries {
		trimmed := strings.TrimSpace(entries[i])
		if entries[i] == port {
			port = ""
		} else if trimmed != "" {
			kept = append(kept, trimmed)
		}
	}
	if port == "" || port == "0" {
		return list
	}
	return strings.Join(append(kept, port), ",")
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return text
}

func templateOf(chart string) string {
	_, rest, found := strings.Cut(chart, "\n"+header+"\n")
	if !found {
		log.Fatalf("no line %q", header)
	}
	var text strings.Builder
	for _, line := range strings.Split(rest, "\n") {
		if line != "" && !strings.HasPrefix(line, indent) {
			break
		}
		text.WriteString(strings.TrimPrefix(line, indent) + "\n")
	}
	return text.String()
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: render TEMPLATES PODS")
	}
	chart, table := read(os.Args[1]), read(os.Args[2])
	var pods struct {
		Values map[string]any
		Pods   []pod
	}
	if err := json.Unmarshal(table, &pods); err != nil {
		log.Fatal(err)
	}
	compiled := template.Must(template.New("meshl4").Funcs(functions).Parse(templateOf(string(chart))))
	fmt.Printf("# Rendered by render.go, template %x, pods %x\n", sha256.Sum256(chart), sha256.Sum256(table))
	for _, p := range pods.Pods {
		d := data{ObjectMeta: objectMeta{p.Annotations}, MeshConfig: &p.MeshConfig, Values: p.Values, ProxyUID: p.ProxyUID, ProxyGID: p.ProxyUID}
		d.ProxyConfig.InterceptionMode = p.MeshMode
		if d.Values == nil {
			d.Values = pods.Values
		}
		fmt.Printf("---\n# pod: %s\n", p.Name)
		if err := compiled.Execute(os.Stdout, d); err != nil {
			log.Fatalf("%s: %v", p.Name, err)
		}
	}
}
