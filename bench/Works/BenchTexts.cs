using System.Collections;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Resources;
using System.Text;

namespace ManagedTransformers.Bench;

/// <summary>Texts that are on every machine that builds the bench, cut to 10 MB.</summary>
internal static class BenchTexts
{
    /// <summary>UTF-8 bytes of all texts together.</summary>
    public const int Bytes = 10_000_000;

    /// <summary>The repository's C# files, again and again.</summary>
    public static string[] SourceFiles()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Runtime.sln")))
            root = Path.GetDirectoryName(root) ?? throw new DirectoryNotFoundException("No Runtime.sln above the bench: it reads the repository's own source.");
        string[] files = [.. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        return Cut(Enumerable.Range(0, int.MaxValue).Select(i => files[i % files.Length]));
    }

    /// <summary>The messages of the .NET SDK in the 13 languages that it speaks besides English, one text for each assembly.</summary>
    public static string[] Messages()
    {
        string root = Path.GetFullPath(Path.Combine(typeof(object).Assembly.Location, "..", "..", "..", "..", "sdk"));
        string[] files = [.. Directory.EnumerateFiles(root, "*.resources.dll", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        // Neighbours are of one language: a step that is prime to their number mixes them.
        const int Step = 101;
        return Cut(Enumerable.Range(0, int.MaxValue).Select(i => MessagesOf(files[(int)((long)i * Step % files.Length)])).Where(text => text.Length > 0));
    }

    private static string MessagesOf(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        MetadataReader metadata = file.GetMetadataReader();
        int start = file.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress;
        var text = new StringBuilder();
        foreach (ManifestResource resource in metadata.ManifestResources.Select(metadata.GetManifestResource))
        {
            if (!metadata.GetString(resource.Name).EndsWith(".resources", StringComparison.Ordinal)) continue;
            PEMemoryBlock block = file.GetSectionData(start + (int)resource.Offset);
            byte[] bytes = [.. block.GetContent(sizeof(int), block.GetReader(0, sizeof(int)).ReadInt32())];
            using var reader = new ResourceReader(new MemoryStream(bytes));
            foreach (DictionaryEntry entry in reader)
                if (entry.Value is string message) text.Append(message).Append('\n');
        }
        return text.ToString();
    }

    private static string[] Cut(IEnumerable<string> endless)
    {
        var texts = new List<string>();
        int left = Bytes;
        foreach (string text in endless)
        {
            int bytes = Encoding.UTF8.GetByteCount(text);
            texts.Add(bytes <= left ? text : text[..Math.Min(left, text.Length)]);
            left -= bytes;
            if (left <= 0) break;
        }
        return [.. texts];
    }
}
