using System.Reflection;
using System.Xml.Linq;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Kernels ← Models ← Runtime → Tokenizers; Runtime ← Diagnostics; Runtime ← Serving → Hub; Serving ← Extensions ← Server; Serving ← Orleans;
/// Server ← Gateway → Orleans; Extensions ← SemanticKernel → VectorData; the hub on its own; Shared below all but Kernels; nothing native.</summary>
public sealed class DependencyTests
{
    private static readonly Dictionary<string, (string[] Projects, string[] Packages)> Allowed = new(StringComparer.Ordinal)
    {
        ["Kernels"] = ([], ["System.Numerics.Tensors"]),
        ["Shared"] = ([], []),
        ["Tokenizers"] = (["Shared"], []),
        ["Models"] = (["Kernels", "Shared"], []),
        ["Runtime"] = (["Models", "Tokenizers"], ["Microsoft.Extensions.AI.Abstractions"]),
        ["Diagnostics"] = (["Runtime"], []),
        ["Serving"] = (["Runtime", "Hub"], []),
        ["Server"] = (["Extensions", "Serving"], []),
        ["Orleans"] = (["Serving"], ["Microsoft.Orleans.Sdk", "Microsoft.Orleans.Server"]),
        ["Gateway"] = (["Server", "Orleans"], []),
        ["Hub"] = (["Shared"], []),
        ["Extensions"] = (["Runtime", "Serving"], ["Microsoft.Extensions.AI", "Microsoft.Extensions.Diagnostics.HealthChecks"]),
        ["VectorData"] = (["Shared"],
            ["Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.VectorData.Abstractions", "System.Numerics.Tensors"]),
        ["SemanticKernel"] = (["Extensions", "VectorData"], ["Microsoft.SemanticKernel.Abstractions"]),
    };

    private static string[] Projects => [.. Directory.GetDirectories(Path.Combine(TestData.Root, "src"))
        .Where(d => Directory.GetFiles(d, "*.csproj").Length > 0).Select(d => Path.GetFileName(d))];

    [Test]
    public void Every_project_of_src_has_its_place() => Assert.That(Projects, Is.EquivalentTo(Allowed.Keys));

    [TestCaseSource(nameof(Projects))]
    public void Project_files_refer_only_in_the_one_direction(string project)
    {
        XDocument file = XDocument.Load(Path.Combine(TestData.Root, "src", project, $"{project}.csproj"));
        string[] Includes(string element) => [.. file.Descendants(element).Select(e => e.Attribute("Include")!.Value)];
        Assert.That(Includes("ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/'))),
            Is.SubsetOf(Allowed[project].Projects));
        Assert.That(Includes("PackageReference"), Is.SubsetOf(Allowed[project].Packages));
    }

    [TestCase("ManagedTransformers.Kernels")]
    [TestCase("ManagedTransformers.Shared")]
    [TestCase("ManagedTransformers.Tokenizers", "ManagedTransformers.Shared")]
    [TestCase("ManagedTransformers.Models", "ManagedTransformers.Kernels", "ManagedTransformers.Shared")]
    [TestCase("ManagedTransformers", "ManagedTransformers.Models", "ManagedTransformers.Kernels", "ManagedTransformers.Tokenizers",
        "ManagedTransformers.Shared", "Microsoft.Extensions.AI.Abstractions")]
    [TestCase("ManagedTransformers.Diagnostics", "ManagedTransformers", "ManagedTransformers.Models", "ManagedTransformers.Kernels",
        "ManagedTransformers.Tokenizers", "ManagedTransformers.Shared")]
    [TestCase("ManagedTransformers.Hub", "ManagedTransformers.Shared")]
    public void Assemblies_refer_to_the_base_library_and_what_is_allowed(string assembly, params string[] allowed)
    {
        string[] foreign = [.. Assembly.Load(assembly).GetReferencedAssemblies().Select(name => name.Name!)
            .Where(name => !name.StartsWith("System.", StringComparison.Ordinal) && name is not ("System" or "netstandard" or "mscorlib"))];
        Assert.That(foreign, Is.SubsetOf(allowed));
    }

    /// <summary>One file calls what .NET has no method for, in the C library of the system: whole files, directories that are exchanged, pages
    /// that are given back, and processes that are told to end.</summary>
    [Test]
    public void Nothing_in_src_calls_a_native_library()
    {
        string systemCalls = Path.Combine(TestData.Root, "src", "Shared", "SystemCalls.cs");
        Assert.That(File.ReadLines(systemCalls).Where(line => line.Contains("[LibraryImport", StringComparison.Ordinal)),
            Has.Exactly(10).Items.And.All.Contains("[LibraryImport(\"libc\""));
        string[] forbidden = ["[DllImport", "[LibraryImport", "NativeLibrary."];
        foreach (string file in Directory.EnumerateFiles(Path.Combine(TestData.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => path != systemCalls && !path.Contains("/obj/", StringComparison.Ordinal)))
        {
            string text = File.ReadAllText(file);
            foreach (string call in forbidden)
                Assert.That(text, Does.Not.Contain(call), file);
        }
    }

    [Test]
    public void Only_the_hub_uses_the_network()
    {
        string hub = Path.Combine(TestData.Root, "src", "Hub") + Path.DirectorySeparatorChar;
        foreach (string file in Directory.EnumerateFiles(Path.Combine(TestData.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.StartsWith(hub, StringComparison.Ordinal)))
            Assert.That(File.ReadAllText(file), Does.Not.Contain("System.Net").And.Not.Contain("HttpClient"), file);
    }

    [Test]
    public void Everything_in_the_folder_of_the_tests_is_managed()
    {
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory, "ManagedTransformers*.dll"))
            Assert.That(() => AssemblyName.GetAssemblyName(file), Throws.Nothing, file);
        string[] native = [.. Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories)
            .Where(path => Path.GetExtension(path) is ".so" or ".dylib")];
        Assert.That(native, Is.Empty);
    }
}
