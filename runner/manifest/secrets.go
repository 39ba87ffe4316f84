package manifest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sync-sidecar/runner"
)

// The API takes objects of about 1 MiB; documents beyond packFrom are packed, and init unpacks them.
const (
	packFrom = 256 << 10
	mostData = 1000 << 10
)

// document is a file of the connector, as a key of a Secret or ConfigMap.
type document struct {
	key     string
	content []byte
	packed  bool
}

func newDocument(name string, content []byte) document {
	if len(content) <= packFrom {
		return document{key: name, content: content}
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write(content)
	if err := errors.Join(err, writer.Close()); err != nil { // cannot be: it is memory
		return document{key: name, content: content}
	}
	return document{key: name + ".gz", content: packed.Bytes(), packed: true}
}

// secretDocuments are the documents that the Secret holds.
func (b *builder) secretDocuments() []document {
	var documents []document
	if b.task.Config != nil && b.options.Secret == "" {
		documents = append(documents, newDocument(runner.ConfigFile, b.task.Config))
	}
	if b.task.State != nil && b.options.Secret == "" {
		documents = append(documents, newDocument(runner.StateFile, b.task.State))
	}
	if b.task.Catalog != nil && b.options.OneSecret {
		documents = append(documents, newDocument(runner.CatalogFile, b.task.Catalog))
	}
	if b.task.CA != nil && b.options.Secret == "" {
		documents = append(documents, newDocument(runner.CAFile, b.task.CA))
	}
	return documents
}

// secretFiles are the plan's files for the sidecar: passwords, and the list of what nothing may show.
func (b *builder) secretFiles() []runner.File {
	var files []runner.File
	for _, file := range b.plan.Files {
		if path.Dir(file.Path) == path.Join(b.plan.Layout.Private, "secrets") {
			files = append(files, file)
		}
	}
	return files
}

func (b *builder) secretName() string {
	if b.options.Secret != "" {
		return b.options.Secret
	}
	return b.options.name(b.task)
}

// secret is nil when there is nothing to keep.
func (b *builder) secret() *corev1.Secret {
	if b.options.Secret != "" {
		return nil
	}
	secret := &corev1.Secret{TypeMeta: typeMeta("v1", "Secret"), ObjectMeta: b.meta(), Type: corev1.SecretTypeOpaque,
		StringData: map[string]string{}, Data: map[string][]byte{}}
	for _, document := range b.secretDocuments() {
		if document.packed {
			secret.Data[document.key] = document.content
		} else {
			secret.StringData[document.key] = string(document.content)
		}
	}
	for _, file := range b.secretFiles() {
		secret.StringData[path.Base(file.Path)] = string(file.Content)
	}
	for _, pair := range b.task.ConnectorEnv {
		name, value, _ := strings.Cut(pair, "=")
		secret.StringData[envKeyPrefix+name] = value
	}
	if len(secret.StringData)+len(secret.Data) == 0 {
		return nil
	}
	return secret
}

// configMap holds the catalog, which is no secret.
func (b *builder) configMap() *corev1.ConfigMap {
	if b.task.Catalog == nil || b.options.OneSecret {
		return nil
	}
	config := &corev1.ConfigMap{TypeMeta: typeMeta("v1", "ConfigMap"), ObjectMeta: b.meta()}
	if catalog := newDocument(runner.CatalogFile, b.task.Catalog); catalog.packed {
		config.BinaryData = map[string][]byte{catalog.key: catalog.content}
	} else {
		config.Data = map[string]string{catalog.key: string(catalog.content)}
	}
	return config
}

// checkSizes says which document the API would not take.
func checkSizes(secret *corev1.Secret, config *corev1.ConfigMap) error {
	var problems []error
	check := func(what string, size int) {
		if size > mostData {
			problems = append(problems, fmt.Errorf("%s of %d KB, packed, are more than an object of Kubernetes holds (1 MiB)", what, size>>10))
		}
	}
	if secret != nil {
		size := 0
		for _, value := range secret.Data {
			size += len(value)
		}
		for _, value := range secret.StringData {
			size += len(value)
		}
		check("configuration, state and what else is secret", size)
	}
	if config != nil {
		size := 0
		for _, value := range config.BinaryData {
			size += len(value)
		}
		check("the catalog's streams", size)
	}
	return errors.Join(problems...)
}

func typeMeta(version, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version, Kind: kind}
}

// meta is that of every object.
func (b *builder) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: b.options.name(b.task), Namespace: b.options.Namespace, Labels: b.options.labels(b.task)}
}
