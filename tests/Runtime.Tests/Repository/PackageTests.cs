using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What is in the assemblies of the packages so that an app that only refers to them can be stepped into.</summary>
public sealed class PackageTests
{
    private static readonly Guid s_embeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");         // of the Portable PDB format

    [TestCase("ManagedTransformers.Kernels", "src/Kernels/Reference/AttentionReference.cs", "AttentionReference", "Softmax")]
    [TestCase("ManagedTransformers.Tokenizers", "src/Tokenizers/Tokenizer.cs", "Tokenizer", "Encode")]
    [TestCase("ManagedTransformers.Models", "src/Models/CodeGen/CodeGenModel.cs", "CodeGenBlock", "Forward")]
    [TestCase("ManagedTransformers", "src/Runtime/FillMask/FillMaskPipeline.cs", "FillMaskPipeline", "PredictMasks")]
    [TestCase("ManagedTransformers.Diagnostics", "src/Diagnostics/Explanation/ModelExplainer.cs", "ModelExplainer", "Explain")]
    [TestCase("ManagedTransformers.Hub", "src/Hub/HubCache.cs", "HubCache", "Find")]
    public void An_assembly_has_its_symbols_and_the_sources_of_every_document(string assembly, string file, string type, string method)
    {
        using var image = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
        DebugDirectoryEntry[] entries = [.. image.ReadDebugDirectory()];
        Assert.That(entries.Select(entry => entry.Type),
            Does.Contain(DebugDirectoryEntryType.EmbeddedPortablePdb).And.Contain(DebugDirectoryEntryType.Reproducible));
        using MetadataReaderProvider provider =
            image.ReadEmbeddedPortablePdbDebugDirectoryData(entries.Single(entry => entry.Type == DebugDirectoryEntryType.EmbeddedPortablePdb));
        MetadataReader symbols = provider.GetMetadataReader();

        Dictionary<string, string?> sources = symbols.Documents.ToDictionary(
            handle => symbols.GetString(symbols.GetDocument(handle).Name).Replace('\\', '/'), handle => SourceOf(symbols, handle));
        string folder = string.Join('/', file.Split('/')[..2]) + "/";
        Assert.That(sources.Where(one => one.Value is null).Select(one => one.Key), Is.Empty, "documents without source");
        string[] files = [.. Directory.GetFiles(Path.Combine(TestData.Root, folder), "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(TestData.Root, path).Replace('\\', '/'))
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal))];
        Assert.That(files.Count(path => sources.Keys.Any(key => key.EndsWith("/" + path, StringComparison.Ordinal))),
            Is.GreaterThan(files.Length / 2), $"files of {folder} with code");
        string document = sources.Keys.Single(path => path.EndsWith("/" + file, StringComparison.Ordinal));
        Assert.That(sources[document], Is.EqualTo(File.ReadAllText(Path.Combine(TestData.Root, file))));

        MetadataReader metadata = image.GetMetadataReader();
        MethodDefinitionHandle[] methods = [.. metadata.MethodDefinitions.Where(handle => metadata.GetMethodDefinition(handle) is { } one
            && metadata.GetString(one.Name) == method && metadata.GetString(metadata.GetTypeDefinition(one.GetDeclaringType()).Name) == type)];
        Assert.That(methods, Is.Not.Empty);
        foreach (MethodDefinitionHandle handle in methods)
            Assert.That(symbols.GetMethodDebugInformation(handle).GetSequencePoints().Count(point => !point.IsHidden), Is.GreaterThan(0),
                $"places to stop in {type}.{method}");
    }

    [TestCase("Shared")]
    [TestCase("Kernels")]
    [TestCase("Tokenizers")]
    [TestCase("Models")]
    [TestCase("Runtime")]
    [TestCase("Diagnostics")]
    [TestCase("Hub")]
    [TestCase("Extensions")]
    [TestCase("VectorData")]
    [TestCase("SemanticKernel")]
    [TestCase("Orleans")]
    [TestCase("Gateway")]
    public void A_package_says_what_it_is_and_under_which_licence(string project)
    {
        XElement own = XDocument.Load(Path.Combine(TestData.Root, "src", project, $"{project}.csproj")).Root!;
        XElement ofSrc = XDocument.Load(Path.Combine(TestData.Root, "src", "Directory.Build.props")).Root!;
        XElement ofAll = XDocument.Load(Path.Combine(TestData.Root, "Directory.Build.props")).Root!;
        XElement ofPackages = XDocument.Load(Path.Combine(TestData.Root, "src", "Package.props")).Root!;
        string? Value(string property) => new[] { own, ofSrc, ofPackages, ofAll }.SelectMany(file => file.Descendants(property)).FirstOrDefault()?.Value;
        Assert.That(Value("IsPackable"), Is.EqualTo("true"));
        Assert.That(Value("Description"), Has.Length.GreaterThan(40));
        Assert.That(Value("PackageReadmeFile"), Is.EqualTo("README.md"));
        Assert.That(Value("PackageLicenseExpression"), Is.EqualTo("MIT"));
        Assert.That((Value("DebugType"), Value("EmbedAllSources"), Value("Deterministic")), Is.EqualTo(("embedded", "true", "true")));
    }

    private static string? SourceOf(MetadataReader symbols, DocumentHandle document)
    {
        foreach (CustomDebugInformationHandle handle in symbols.GetCustomDebugInformation(document))
        {
            CustomDebugInformation information = symbols.GetCustomDebugInformation(handle);
            if (symbols.GetGuid(information.Kind) != s_embeddedSource)
                continue;
            // An int32: 0, or the length of what follows deflated.
            byte[] blob = symbols.GetBlobBytes(information.Value);
            Stream content = new MemoryStream(blob, 4, blob.Length - 4);
            using var text = new StreamReader(BitConverter.ToInt32(blob) == 0 ? content : new DeflateStream(content, CompressionMode.Decompress));
            return text.ReadToEnd();
        }
        return null;
    }
}
