using System.Globalization;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>How much of a weight file is in memory as a part of this process: weights that are read once do not stay.</summary>
[TestFixture]
public class ReadOnceTests
{
    private const int Width = 256, Layers = 3, Vocabulary = 512;
    private const long Matrices = 4L * Layers * 12 * Width * Width;            // bytes in F32, without embeddings and head

    // Vectors lie next to matrices, and with a page that is read 15 more are mapped.
    private const long Few = 1 << 20;

    private TemporaryDirectory _source = null!;
    private TemporaryDirectory _destination = null!;

    [SetUp]
    public void CreateDirectories()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/proc/self/smaps says what of a mapping is in memory; only Linux has it.");
        (_source, _destination) = (new TemporaryDirectory(), new TemporaryDirectory());
    }

    [TearDown]
    public void DeleteDirectories()
    {
        _source?.Dispose();
        _destination?.Dispose();
    }

    [TestCase("codegen", WeightFormat.Int4)]
    [TestCase("codegen", WeightFormat.Int8)]
    [TestCase("gpt2", WeightFormat.Int4)]                  // [in, out]: transposed and then quantized
    [TestCase("gpt2", WeightFormat.AsStored)]              // transposed
    public void Loading_gives_back_the_pages_of_matrices_that_are_held_in_another_form(string family, WeightFormat format)
    {
        Save(family);
        using PretrainedModel model = PretrainedModels.Load(_source.Path, new LoadOptions { WeightFormat = format });
        Assert.That(Resident(_source.Path), Is.LessThan(Few));
    }

    [Test]
    public void Matrices_that_are_used_as_they_are_stored_stay()
    {
        Save("codegen");
        using PretrainedModel model = PretrainedModels.Load(_source.Path);
        using Session session = model.CreateSession();
        model.Forward(ModelInputs.Of([1, 2, 3]), session);
        Assert.That(Resident(_source.Path), Is.GreaterThan(Matrices));
    }

    [TestCase("codegen", WeightFormat.Int4, null)]
    [TestCase("codegen", WeightFormat.AsStored, ElementType.F16)]
    [TestCase("codegen", WeightFormat.AsStored, null)]     // copied
    [TestCase("gpt2", WeightFormat.Int8, null)]
    public void Converting_maps_little_of_what_it_reads_and_of_what_it_checks(string family, WeightFormat format, ElementType? type)
    {
        Save(family);
        (long most, int checks) = (0, 0);
        var progress = new Inline(p =>
        {
            most = Math.Max(most, Resident(_source.Path, _destination.Path));
            checks += p.Checking ? 1 : 0;
        });
        ConversionResult result = CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = format, Type = type },
            progress);
        Assert.That(most, Is.LessThan(Few));
        Assert.That(checks, Is.EqualTo(result.Tensors));
    }

    [Test]
    public void A_file_that_is_cut_while_it_is_converted_says_so()
    {
        Save("codegen");
        string file = _source["model.safetensors"];
        var cut = new Inline(_ =>
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            stream.SetLength(stream.Length / 4);
        });
        Assert.That(() => CheckpointConverter.Convert(_source.Path, _destination.Path, new ConversionOptions { WeightFormat = WeightFormat.Int4 }, cut),
            Throws.TypeOf<CheckpointException>().With.Message.Contains($"{file} was cut at "));
    }

    [Test]
    public void What_was_given_back_is_read_again()
    {
        Save("codegen");
        using Checkpoint checkpoint = Checkpoint.Open(_source.Path);
        foreach (Weight weight in checkpoint.Weights.Values)
        {
            byte[] before = weight.Bytes.ToArray();
            weight.GiveBack();
            Assert.That(weight.Bytes.SequenceEqual(before), Is.True, weight.Name);
        }
        Assert.That(Resident(_source.Path), Is.GreaterThan(Matrices));
        foreach (Weight weight in checkpoint.Weights.Values) weight.GiveBack();
        Assert.That(Resident(_source.Path), Is.LessThan(Few));
    }

    private void Save(string family)
    {
        using DecoderForCausalLM model = family == "codegen"
            ? PretrainedModels.FromConfig<CodeGenForCausalLM>(
                new CodeGenConfig { VocabSize = Vocabulary, NEmbd = Width, NLayer = Layers, NHead = 8, RotaryDim = 16, NPositions = 32 })
            : DecoderFamilies.Model(family, Vocabulary, Width, Layers);
        model.Save(_source.Path);
    }

    /// <summary>Bytes of the mapped files in directories, or in those that will replace them, that this process has in memory.</summary>
    private static long Resident(params string[] directories)
    {
        string[] names = [.. directories.Select(directory => Path.GetFileName(directory))];
        (long sum, bool counts) = (0, false);
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('/')) counts = line.Contains(".safetensors", StringComparison.Ordinal) && names.Any(line.Contains);
            else if (char.IsAsciiHexDigitLower(line[0]) || char.IsAsciiDigit(line[0])) counts = false;
            else if (counts && line.StartsWith("Rss:", StringComparison.Ordinal))
                sum += long.Parse(line[4..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10;
        }
        return sum;
    }

    private sealed class Inline(Action<WriteProgress> report) : IProgress<WriteProgress>
    {
        public void Report(WriteProgress value) => report(value);
    }
}
