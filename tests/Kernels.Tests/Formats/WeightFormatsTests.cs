using System.Text.RegularExpressions;

namespace ManagedTransformers.Kernels.Tests;

public sealed class WeightFormatsTests
{
    private const WeightType Unknown = (WeightType)9;

    private struct NameOf : IFormatVisitor
    {
        public string Name;

        public void VisitFloats<TFormat>()
            where TFormat : struct, IWeightFormat => Name = typeof(TFormat).Name;

        public void VisitBlocks<TFormat>()
            where TFormat : struct, IBlockFormat => Name = typeof(TFormat).Name;
    }

    private struct NameOfFloats : IFloatFormatVisitor
    {
        public string Name;

        public void Visit<TFormat>()
            where TFormat : struct, IWeightFormat => Name = typeof(TFormat).Name;
    }

    private struct NameOfBlocks : IBlockFormatVisitor
    {
        public string Name;

        public void Visit<TFormat>()
            where TFormat : struct, IBlockFormat => Name = typeof(TFormat).Name;
    }

    [Test]
    public void Each_type_has_the_format_of_its_name([Values] WeightType type)
    {
        var any = new NameOf();
        WeightFormats.Visit(type, ref any);
        Assert.That(any.Name, Is.EqualTo($"{type}Format"));

        (var floats, var blocks) = (new NameOfFloats(), new NameOfBlocks());
        if (WeightMatrix.IsBlocked(type))
        {
            WeightFormats.VisitBlocks(type, ref blocks);
            Assert.That(() => WeightFormats.VisitFloats(type, ref floats),
                Throws.ArgumentException.With.Message.Contains($"{type} stores elements in blocks of 32"));
        }
        else
        {
            WeightFormats.VisitFloats(type, ref floats);
            Assert.That(() => WeightFormats.VisitBlocks(type, ref blocks),
                Throws.ArgumentException.With.Message.Contains($"{type} stores elements one by one"));
        }
        Assert.That((floats.Name ?? blocks.Name), Is.EqualTo($"{type}Format"));
    }

    /// <summary>docs/adr/0001 lists the files that a new format changes.</summary>
    [TestCase("BF16", "Formats/BF16Format.cs", "Formats/WeightFormats.cs", "Reference/ConversionReference.cs", "WeightMatrix.cs")]
    [TestCase("Int8", "Formats/Int8Format.cs", "Formats/WeightFormats.cs", "Reference/QuantizationReference.cs", "WeightMatrix.cs")]
    public void A_format_changes_its_own_file_and_three_more(string name, params string[] files)
    {
        string folder = Path.Combine(Testing.RepositoryRoot.Path, "src", "Kernels");
        var code = new Regex($@"(?<!//.*|"".*)\b({name}|{name}Format)\b", RegexOptions.None, TimeSpan.FromSeconds(1));    // not in comments and messages
        string[] knowing =
        [
            .. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
                .Where(file => code.IsMatch(File.ReadAllText(file)))
                .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
                .Where(file => !file.StartsWith("obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
        ];
        Assert.That(knowing, Is.EqualTo(files));
    }

    [TestCase(WeightType.F32, false, 512)]
    [TestCase(WeightType.F16, false, 256)]
    [TestCase(WeightType.BF16, false, 256)]
    [TestCase(WeightType.Int8, true, 128 + 8)]
    [TestCase(WeightType.Int4, true, 64 + 8)]
    public void Bytes_of_a_row_of_128_elements(WeightType type, bool blocked, long bytes) =>
        Assert.That((WeightMatrix.IsBlocked(type), WeightMatrix.BytesOfRow(type, 128)), Is.EqualTo((blocked, bytes)));

    [Test]
    public void Every_kernel_refuses_an_unknown_type_with_those_that_there_are([Levels] KernelLevel level)
    {
        KernelOptions options = Samples.At(level);
        Action[] calls =
        [
            () => WeightMatrix.IsBlocked(Unknown), () => WeightMatrix.ElementSize(Unknown), () => WeightMatrix.BytesOfRow(Unknown, 64),
            () => new WeightMatrix([], Unknown, 0, 0).Row(0),
            () => _ = new StoredSpan([], Unknown).Length,
            () => Conversion.Widen([], Unknown, [], options), () => Conversion.Narrow([], Unknown, [], options),
            () => Quantization.Quantize(new WeightMatrix([], WeightType.F32, 0, 0), Unknown, [], options),
            () => SplitHeads.Run(new SplitHeadsArguments { Type = Unknown }, options),
        ];
        foreach (Action call in calls)
            Assert.That(call, Throws.ArgumentException.With.Message.Contains("9 is no weight type").And.Message.Contains("F32, F16, BF16, Int8, Int4"));
    }

    [Test]
    public void Kernels_of_elements_refuse_blocks([Values(WeightType.Int8, WeightType.Int4)] WeightType type)
    {
        Action[] calls =
        [
            () => Conversion.Widen([], type, [], Samples.Reference), () => Conversion.Narrow([], type, [], Samples.Reference),
            () => _ = new StoredSpan([], type).Length,
        ];
        foreach (Action call in calls)
            Assert.That(call, Throws.ArgumentException.With.Message.Contains($"{type} stores elements in blocks of 32"));
        Assert.That(() => ConversionReference.Widen([], type, []), Throws.ArgumentException.With.Message.Contains($"{type} stores elements in blocks of 32"));
    }

    [Test]
    public void Options_have_no_unknown_level()
    {
        Assert.That(() => new KernelOptions { Level = (KernelLevel)9 }, Throws.TypeOf<PlatformNotSupportedException>().With.Message.Contains("9"));
        Assert.That(KernelDispatch.Unknown((KernelLevel)9).Message, Does.Contain("9 is no kernel level")
            .And.Contain("Reference, Portable, Vector128, Avx2, Avx512"));
    }
}
