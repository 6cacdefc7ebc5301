// Compares our restated protos with those that grpc-go and genproto have compiled in: every file, message, field, enum, value,
// service and method must be there on both sides, with the same numbers, types and shapes. Comments and options do not
// count, nor does the order.
//
// Usage: protos FILE, a serialized FileDescriptorSet.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	_ "github.com/cncf/xds/go/xds/data/orca/v3"
	_ "github.com/cncf/xds/go/xds/service/orca/v3"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/grpc/channelz/grpc_channelz_v1"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/interop/grpc_testing"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	compared, differences, err := compare(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, difference := range differences {
		fmt.Println(difference)
	}
	if len(differences) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d facts agree\n", compared)
}

func compare(path string) (int, []string, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return 0, nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(bytes, &set); err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	ours, theirs := map[string]bool{}, map[string]bool{}
	for _, file := range set.File {
		own, err := files.FindFileByPath(file.GetName())
		if err != nil {
			return 0, nil, err
		}
		other, err := protoregistry.GlobalFiles.FindFileByPath(file.GetName())
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", file.GetName(), err)
		}
		describeFile(own, ours)
		describeFile(other, theirs)
	}
	var differences []string
	for fact := range ours {
		if !theirs[fact] {
			differences = append(differences, "only ours:   "+fact)
		}
	}
	for fact := range theirs {
		if !ours[fact] {
			differences = append(differences, "only theirs: "+fact)
		}
	}
	sort.Strings(differences)
	return len(ours), differences, nil
}

func describeFile(file protoreflect.FileDescriptor, facts map[string]bool) {
	facts[fmt.Sprintf("file %s package %s syntax %s", file.Path(), file.Package(), file.Syntax())] = true
	for i := range file.Imports().Len() {
		// What it has is options.
		if path := file.Imports().Get(i).Path(); !strings.HasPrefix(path, "validate/") {
			facts[fmt.Sprintf("file %s imports %s", file.Path(), path)] = true
		}
	}
	describeMessages(file.Messages(), facts)
	describeEnums(file.Enums(), facts)
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		facts[fmt.Sprintf("service %s", service.FullName())] = true
		for j := range service.Methods().Len() {
			method := service.Methods().Get(j)
			facts[fmt.Sprintf("method %s(stream %t %s) returns (stream %t %s)", method.FullName(),
				method.IsStreamingClient(), method.Input().FullName(),
				method.IsStreamingServer(), method.Output().FullName())] = true
		}
	}
}

func describeMessages(messages protoreflect.MessageDescriptors, facts map[string]bool) {
	for i := range messages.Len() {
		message := messages.Get(i)
		facts[fmt.Sprintf("message %s map entry %t", message.FullName(), message.IsMapEntry())] = true
		for j := range message.Fields().Len() {
			describeField(message.Fields().Get(j), facts)
		}
		for j := range message.ReservedRanges().Len() {
			facts[fmt.Sprintf("message %s reserves %v", message.FullName(), message.ReservedRanges().Get(j))] = true
		}
		describeMessages(message.Messages(), facts)
		describeEnums(message.Enums(), facts)
	}
}

func describeField(field protoreflect.FieldDescriptor, facts map[string]bool) {
	var named protoreflect.FullName
	if field.Message() != nil {
		named = field.Message().FullName()
	}
	if field.Enum() != nil {
		named = field.Enum().FullName()
	}
	var oneof protoreflect.Name
	if field.ContainingOneof() != nil {
		oneof = field.ContainingOneof().Name()
	}
	facts[fmt.Sprintf("field %s = %d: %s %s %s json %s oneof %q presence %t packed %t", field.FullName(), field.Number(),
		field.Cardinality(), field.Kind(), named, field.JSONName(), oneof, field.HasPresence(), field.IsPacked())] = true
}

func describeEnums(enums protoreflect.EnumDescriptors, facts map[string]bool) {
	for i := range enums.Len() {
		enum := enums.Get(i)
		for j := range enum.Values().Len() {
			value := enum.Values().Get(j)
			facts[fmt.Sprintf("enum %s value %s = %d", enum.FullName(), value.Name(), value.Number())] = true
		}
	}
}
