using System.IO;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Orleans;

/// <summary>What an encoder can be asked for, and how its results travel: to the bit.</summary>
internal abstract class EncoderJob(string name)
{
    public static readonly EncoderJob<TextEmbedding> Embed = new(
        "embed", 256, (engine, request, token) => engine.EmbedAsync(request.Texts, OptionsJson.ReadAny<EmbeddingOptions>(request.Options), token),
        (writer, embedding) =>
        {
            writer.Write(embedding.Tokens);
            Write(writer, embedding.Vector);
        },
        reader => new TextEmbedding(Tokens: reader.ReadInt32(), Vector: ReadFloats(reader)));

    public static readonly EncoderJob<FloatTensor> Extract = new(
        "extract", 4, (engine, request, token) =>
            engine.ExtractAsync(request.Texts, OptionsJson.ReadAny<ExtractOptions>(request.Options).Truncation, token),
        (writer, tensor) =>
        {
            writer.Write(tensor.Name);
            writer.Write(tensor.Shape[1]);
            Write(writer, tensor.Span);
        },
        reader =>
        {
            (string name, int tokens, float[] data) = (reader.ReadString(), reader.ReadInt32(), ReadFloats(reader));
            return new FloatTensor(data, name, 1, tokens, data.Length / tokens);
        });

    public static readonly EncoderJob<MaskedText> FillMask = OfJson(
        "fill-mask", (engine, request, token) => engine.FillMaskAsync(request.Texts, OptionsJson.ReadAny<FillMaskOptions>(request.Options), token));

    public static readonly EncoderJob<IReadOnlyList<LabelScore>> Classify = OfJson(
        "classify", (engine, request, token) => engine.ClassifyAsync(
            [.. request.Texts.Zip(request.Others)], OptionsJson.ReadAny<TextClassificationOptions>(request.Options), token));

    public static readonly EncoderJob<IReadOnlyList<Entity>> Tag = OfJson(
        "tag", (engine, request, token) => engine.TagAsync(request.Texts, OptionsJson.ReadAny<TokenClassificationOptions>(request.Options), token));

    /// <summary>The query is the other text; the documents stay where they are.</summary>
    public static readonly EncoderJob<RerankScore> Rank = new(
        "rank", 4096, (engine, request, token) =>
        {
            RankOptions options = OptionsJson.ReadAny<RankOptions>(request.Options);
            return engine.RankAsync(request.Others[0]!, request.Texts, options.TopN, options.Truncation, options.Sigmoid, token);
        },
        (writer, score) =>
        {
            writer.Write(score.Index);
            writer.Write(score.Score);
        },
        reader => new RerankScore(reader.ReadInt32(), "", reader.ReadSingle()));

    private static readonly EncoderJob[] s_all = [Embed, Extract, FillMask, Classify, Tag, Rank];

    /// <summary>What requests call it.</summary>
    public string Name => name;

    /// <exception cref="ModelInputException">This version has no such job.</exception>
    public static EncoderJob Find(string name) => Array.Find(s_all, job => job.Name == name)
        ?? throw new ModelInputException($"\"{name}\" is asked of an encoder, which this version does not have. Give caller and silos the same version.");

    /// <summary>Does it here, and gives the results as they travel.</summary>
    public abstract Task<IEnumerable<EncoderPart>> PartsAsync(SiloEngines engines, EncoderRequest request, CancellationToken cancellationToken);

    private static EncoderJob<T> OfJson<T>(string name, Func<EncoderEngine, EncoderRequest, CancellationToken, Task<IReadOnlyList<T>>> run) => new(
        name, 256, run, (writer, result) => writer.Write(OptionsJson.WriteAny(result)), reader => OptionsJson.ReadAny<T>(reader.ReadString()));

    private static void Write(BinaryWriter writer, ReadOnlySpan<float> values)
    {
        writer.Write(values.Length);
        writer.Write(MemoryMarshal.AsBytes(values));
    }

    private static float[] ReadFloats(BinaryReader reader)
    {
        var values = new float[reader.ReadInt32()];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}

/// <inheritdoc cref="EncoderJob"/>
/// <param name="name">What requests call it.</param>
/// <param name="perPart">The most results of a message.</param>
/// <param name="run">Asks the engine.</param>
/// <param name="write">Writes a result.</param>
/// <param name="read">Reads it.</param>
internal sealed class EncoderJob<T>(
    string name, int perPart, Func<EncoderEngine, EncoderRequest, CancellationToken, Task<IReadOnlyList<T>>> run, Action<BinaryWriter, T> write,
    Func<BinaryReader, T> read) : EncoderJob(name)
{
    public Task<IReadOnlyList<T>> Run(EncoderEngine engine, EncoderRequest request, CancellationToken cancellationToken) =>
        run(engine, request, cancellationToken);

    public override async Task<IEnumerable<EncoderPart>> PartsAsync(SiloEngines engines, EncoderRequest request, CancellationToken cancellationToken)
    {
        var times = new EncoderTimes();
        IReadOnlyList<T> results = await engines.RunAsync(this, request, times, cancellationToken).ConfigureAwait(false);
        return results.Chunk(perPart).Select(part => new EncoderPart(part.Length, Write(part), times.Queue, times.Inference));
    }

    public IEnumerable<T> Read(EncoderPart part)
    {
        using var reader = new BinaryReader(new MemoryStream(part.Bytes));
        for (int i = 0; i < part.Count; i++)
            yield return read(reader);
    }

    private byte[] Write(T[] results)
    {
        var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes))
        {
            foreach (T result in results)
                write(writer, result);
        }
        return bytes.ToArray();
    }
}
