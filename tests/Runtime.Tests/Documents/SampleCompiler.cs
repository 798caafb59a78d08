using ManagedTransformers.Testing;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Compiles the samples of a document as a reader would who puts one into Program.cs of a new console app.</summary>
internal static class SampleCompiler
{
    private static readonly string[] s_implicitUsings =
        ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];

    public static void AssertCompiles(string document)
    {
        MetadataReference[] references = [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path))];
        SyntaxTree usings = CSharpSyntaxTree.ParseText(string.Concat(s_implicitUsings.Select(name => $"global using {name};\n")));
        var options = new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable);
        foreach (string sample in DocumentSamples.Of(document))
        {
            var compilation = CSharpCompilation.Create("Sample", [usings, CSharpSyntaxTree.ParseText(sample)], references, options);
            Assert.That(compilation.GetDiagnostics().Where(one => one.Severity >= DiagnosticSeverity.Warning && one.Id is not "CS8019"), Is.Empty, sample);
        }
    }
}
