using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.VectorData;

namespace ManagedTransformers.Samples.FolderSearch;

/// <summary>Embeds, searches, prints, and ends the app.</summary>
internal sealed class FolderWorker(VectorStore store, IConfiguration configuration, IHostApplicationLifetime app) : BackgroundService
{
    private const int BatchSize = 64;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string folder = configuration["Folder"] ?? "src/Tokenizers", query = configuration["Query"] ?? "Lower case";
        VectorStoreCollection<string, CodePart> parts = store.GetCollection<string, CodePart>("parts");
        await parts.EnsureCollectionExistsAsync(stoppingToken);

        int count = 0;
        foreach (CodePart[] batch in CodePart.In(folder).Chunk(BatchSize))
        {
            await parts.UpsertAsync(batch, stoppingToken);                          // the store embeds the text of each
            count += batch.Length;
        }
        Console.WriteLine($"{count} parts of {folder}; nearest to \"{query}\":");
        await foreach (VectorSearchResult<CodePart> found in parts.SearchAsync(query, top: 3, cancellationToken: stoppingToken))
            Console.WriteLine($"{found.Score:F3} {found.Record.Place} {found.Record.Declaration}");
        app.StopApplication();
    }
}

/// <summary>A member of a class: what stands between two empty lines.</summary>
internal sealed class CodePart
{
    /// <summary>File and line.</summary>
    [VectorStoreKey]
    public string Place { get; set; } = "";

    /// <summary>Its first line of code.</summary>
    [VectorStoreData]
    public string Declaration { get; set; } = "";

    /// <summary>Its text, which the store embeds.</summary>
    [VectorStoreVector(256)]
    public string Text { get; set; } = "";

    /// <summary>The parts of all C# files of a folder that are no less than four lines long.</summary>
    public static IEnumerable<CodePart> In(string folder) =>
        from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        where !file.Split('/', '\\').Any(part => part is "obj" or "bin")
        from part in Of(file)
        select part;

    private static IEnumerable<CodePart> Of(string file)
    {
        string[] lines = File.ReadAllLines(file);
        for (int start = 0, end; start < lines.Length; start = end + 1)
        {
            end = Array.FindIndex(lines, start, string.IsNullOrWhiteSpace);
            end = end < 0 ? lines.Length : end;
            string[] code = [.. lines[start..end].Select(line => line.Trim()).Where(line => !line.StartsWith("//", StringComparison.Ordinal))];
            if (code.Length >= 4)
                yield return new CodePart { Place = $"{file}:{start + 1}", Declaration = code[0], Text = string.Join('\n', lines[start..end]) };
        }
    }
}
